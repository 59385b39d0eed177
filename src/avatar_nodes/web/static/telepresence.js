// The operator's side of a telepresence booth: this microphone moves the avatar.

import { Connection, sendJson } from "/static/connection.js";
import { recordedNotice } from "/static/recorded_notice.js";

const $ = (name) => document.querySelector(name);
const query = new URLSearchParams(location.search);
const connection = new Connection({ video: $("#video"), canvas: $("#canvas"), media: query.get("media") });
recordedNotice(connection, $("#recorded"));
let meter = null;

function notice(text) {
  $("#notice").hidden = !text;
  $("#notice p").textContent = text;
}

const tell = (text) => { $("#state span").textContent = text; };

connection.addEventListener("status", ({ detail }) => {
  document.documentElement.dataset.connection = detail.status;
  document.documentElement.dataset.media = connection.media;
  notice(detail.status === "live" || detail.status === "connecting" ? "" : detail.message || "The avatar is away for a moment.");
  tell(detail.status === "live" ? "Silent: nobody hears you" : "Connecting …");
});
connection.addEventListener("about", ({ detail }) => {
  document.title = `${detail.title} – telepresence`;
  $("#logout").hidden = !detail.logged_in;
  const own = detail.mode !== "puppet" ? "This avatar answers by itself. Start it with --mode puppet to speak through it." : "";
  $("#talk").disabled = Boolean(own) || !detail.listens;
  if (own) setTimeout(() => tell(own));
});
connection.addEventListener("microphone", ({ detail }) => {
  $("#talk").setAttribute("aria-pressed", detail.on);
  $("#state").dataset.state = detail.on ? "speaking" : "idle";
  tell(detail.message || (detail.on ? "You speak" : "Silent: nobody hears you"));
});

async function talk(on) {
  try {
    await connection.setMicrophone(on, $("#device").value);
    showLevel(on && connection.microphoneTrack);
    if (on) listDevices();
  } catch (error) {
    tell(error.name === "NotAllowedError" ? "The browser does not let this page use the microphone." : error.message);
  }
}

function showLevel(track) {
  meter?.close();
  meter = null;
  $("#level").style.width = "0";
  if (!track) return;
  meter = new AudioContext();
  const analyser = meter.createAnalyser();
  const samples = new Float32Array(1024);
  meter.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const look = (context) => {
    if (context !== meter) return;
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    $("#level").style.width = `${Math.min(100, 100 + 20 * Math.log10(loudness + 1e-5))}%`;
    requestAnimationFrame(() => look(context));
  };
  look(meter);
}

// Their names are known only once a microphone was allowed.
async function listDevices() {
  const chosen = $("#device").value;
  const devices = await navigator.mediaDevices.enumerateDevices();
  const inputs = devices.filter((device) => device.kind === "audioinput");
  $("#device").replaceChildren(new Option("Default microphone", ""), ...inputs.map((d) => new Option(d.label || "Microphone", d.deviceId)));
  $("#device").value = chosen;
}

const talking = () => $("#talk").getAttribute("aria-pressed") === "true";
$("#talk").onclick = () => talk(!talking());
$("#device").onchange = () => talking() && talk(true);
$("#prompt-form").onsubmit = async (event) => {
  event.preventDefault();
  try {
    await sendJson("/api/operator/prompt", { value: $("#prompt-text").value });
  } catch (error) {
    tell(error.message);
  }
};
const isSpace = (event) => event.code === "Space" && !event.repeat && !event.target.matches("input, select, button");
addEventListener("keydown", (event) => isSpace(event) && !talking() && talk(true));
addEventListener("keyup", (event) => isSpace(event) && talking() && talk(false));

connection.run();
globalThis.avatarConnection = connection; // for whoever looks into the page
