// Tells whoever looks at a page that the avatar is being recorded, and what of them is kept.

const KEPT = {
  nothing: "Recording: the avatar's picture and voice",
  words: "Recording: the avatar, and what you say as text",
  sound: "Recording: the avatar, and your voice",
};

export function recordedNotice(connection, element) {
  connection.addEventListener("avatar", ({ detail }) => {
    if (detail.type !== "recorded") return;
    element.hidden = !detail.on;
    element.textContent = detail.on ? KEPT[connection.about.recorded_of_visitors] : "";
  });
}
