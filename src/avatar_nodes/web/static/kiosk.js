// The visitor's page, and (puppet) the screen of a telepresence booth.

import { Captions } from "/static/captions.js";
import { Connection } from "/static/connection.js";
import { recordedNotice } from "/static/recorded_notice.js";

const $ = (name) => document.querySelector(name);
const query = new URLSearchParams(location.search);
const connection = new Connection({ video: $("#video"), canvas: $("#canvas"), media: query.get("media") });
recordedNotice(connection, $("#recorded"));
const captions = new Captions($("#visitor"), $("#avatar"));
const WORDS = { idle: "Ask me something", listening: "Listening", thinking: "Thinking", speaking: "Speaking" };

function notice(text) {
  $("#notice").hidden = !text;
  $("#notice p").textContent = text;
}

function showState(name) {
  $("#state").dataset.state = name;
  $("#state span").textContent = connection.about?.mode === "puppet" ? "Live" : WORDS[name] || name;
  captions.state(name);
}

connection.addEventListener("status", ({ detail }) => {
  document.documentElement.dataset.connection = detail.status;
  document.documentElement.dataset.media = connection.media;
  if (detail.status === "live") play();
  if (detail.status === "offline") notice(detail.message || "The avatar is away for a moment. This page comes back by itself.");
  else notice(detail.status === "busy" ? detail.message : "");
  if (detail.status !== "live") $("#state span").textContent = "Connecting …";
});
connection.addEventListener("about", ({ detail }) => {
  document.title = detail.title;
  $("#bar").hidden = detail.mode === "puppet";
  $("#talk").hidden = !detail.listens;
  $("#logout").hidden = !detail.logged_in;
});
connection.addEventListener("avatar", ({ detail }) => {
  if (detail.type === "state") showState(detail.state);
  if (detail.type === "caption") captions.take(detail);
});
connection.addEventListener("microphone", ({ detail }) => {
  $("#talk").setAttribute("aria-pressed", detail.on);
  if (detail.message) hint(detail.message);
});

// With sound where the browser lets us; else silent until somebody taps.
async function play() {
  const video = $("#video");
  const socket = connection.player;
  try {
    video.muted = false;
    if (socket) await socket.resume();
    else await video.play();
    $("#tap").hidden = !(socket && socket.sound.state !== "running");
  } catch {
    video.muted = true;
    await video.play().catch(() => {});
    $("#tap").hidden = false;
  }
}

function hint(text) {
  $("#visitor").textContent = text;
  captions.later();
}

async function talk(on) {
  try {
    await connection.setMicrophone(on);
    if (!on) $("#talk").setAttribute("aria-pressed", false);
  } catch (error) {
    hint(error.name === "NotAllowedError" ? "The browser does not let this page use the microphone." : error.message);
  }
}

$("#talk").onclick = () => { play(); talk($("#talk").getAttribute("aria-pressed") !== "true"); };
$("#tap").onclick = play;
$("#stop").onclick = () => connection.stop().catch((error) => hint(error.message));
$("#full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
$("#question").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("#text").value.trim();
  if (!text) return;
  play();
  try {
    await connection.say(text);
    $("#text").value = "";
  } catch (error) {
    hint(error.message);
  }
};
addEventListener("keydown", (event) => {
  if (event.target.matches("input")) return;
  if (event.key === "Escape" && !document.fullscreenElement) $("#stop").click();
  if (event.key === "f") $("#full").click();
});

connection.run();
if (query.has("talk")) connection.addEventListener("status", ({ detail }) => detail.status === "live" && !connection.microphoneTrack && talk(true));
globalThis.avatarConnection = connection; // for whoever looks into the page
