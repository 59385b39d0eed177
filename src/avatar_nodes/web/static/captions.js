// What both sides say, as text: the visitor's last words above, the avatar's answer below.

const STAY_MS = 9000;

export class Captions {
  constructor(visitor, avatar) {
    Object.assign(this, { visitor, avatar, turn: 0, sentences: [] });
  }

  take(event) {
    if (event.who === "visitor") {
      this.visitor.textContent = event.text;
      if (event.turn !== this.turn) this.avatar.textContent = "";
      this.later();
      return;
    }
    if (event.turn !== this.turn || event.index === 0) Object.assign(this, { turn: event.turn, sentences: [] });
    if (event.cut) this.sentences = [];
    else this.sentences[event.index] = event.text;
    this.avatar.textContent = this.sentences.filter(Boolean).join(" ");
    this.later();
  }

  // They leave when nobody has said anything for a while, and stay while the avatar speaks.
  state(name) {
    this.speaking = name === "speaking" || name === "thinking";
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    if (!this.speaking) this.timer = setTimeout(() => { this.visitor.textContent = this.avatar.textContent = ""; }, STAY_MS);
  }
}
