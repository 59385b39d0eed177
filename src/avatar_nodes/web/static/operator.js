// The operator's panel: orders to the avatar, and what it measures about itself.

import { Chart } from "/static/chart.js";
import { ask, sendJson } from "/static/connection.js";

const $ = (name) => document.querySelector(name);
const LINES = 200;
const charts = new Map();
const FIRST = ["Frames per second", "Sound against picture", "Frames held", "Answer heard after", "Answer seen after", "Viewers", "Way of a block", "Blocks under way"];

function figure(name, unit, value, digits) {
  if (!charts.has(name)) {
    charts.set(name, new Chart(name, unit, digits));
    const place = (other) => `${String(FIRST.indexOf(other) + 1 || FIRST.length + 1).padStart(2, "0")} ${other}`;
    const names = [...charts.keys()].sort((a, b) => (place(a) < place(b) ? -1 : 1));
    $("#figures").replaceChildren(...names.map((other) => charts.get(other).box));
  }
  charts.get(name).add(value);
}

// What is worth a chart of what a node reports.
function figures({ node, values }) {
  const value = (key) => Number.parseFloat(values[key]);
  if (node === "presenter") {
    figure("Frames per second", "", value("rate_hz"), 1);
    figure("Sound against picture", "ms", value("av_offset_ms"), 0);
    figure("Frames held", "", value("frames_held"), 0);
  }
  if (node === "conductor") {
    figure("Blocks under way", "", value("queue_depth"), 0);
    figure("Way of a block", "ms", value("pipeline_ms_p50"), 0);
  }
  if (/^denoiser/.test(node)) figure(node.replace("_", " "), "ms", value("stage_ms_p50"), 0);
  if (node === "decoder") figure("decoder", "ms", value("stage_ms_p50"), 0);
  if (node === "kiosk") figure("Viewers", "", value("viewers"), 0);
}

function line({ level, node, text, time }) {
  const item = document.createElement("li");
  item.className = level;
  item.textContent = `${new Date(time * 1000).toLocaleTimeString()} ${level.padEnd(5)} ${node}: ${text}`;
  const log = $("#log");
  const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 20;
  log.append(item);
  if (log.children.length > LINES) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function recording({ active, file, seconds, bytes, problem }) {
  $("#record").setAttribute("aria-pressed", active);
  $("#record").textContent = active ? "Stop recording" : "Record";
  const size = `${Math.round(seconds)} s, ${(bytes / 1e6).toFixed(1)} MB`;
  $("#recording").textContent = [active ? "Recording" : file && "Recorded", file, file && size, problem].filter(Boolean).join(" · ");
}

const TAKE = {
  state: (event) => { $("#state").textContent = event.state; $("#prompt").textContent = event.prompt; },
  persona: (event) => { $("#persona").value = event.persona; $("#title").textContent = event.name; },
  turn: (event) => { figure("Answer heard after", "s", event.sound, 2); figure("Answer seen after", "s", event.frame, 2); },
  recording,
  figures,
  log: line,
};

async function listen() {
  for (;;) {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/operator/events`);
    socket.onopen = () => { $("#trouble").textContent = ""; $("#preview").src = `/api/operator/preview.mjpg?${Date.now()}`; };
    socket.onmessage = ({ data }) => { const event = JSON.parse(data); TAKE[event.type]?.(event); };
    await new Promise((closed) => { socket.onclose = closed; });
    $("#trouble").textContent = "The avatar's server does not answer; trying again …";
    await new Promise((done) => setTimeout(done, 1500));
  }
}

async function order(name, value, where) {
  where.textContent = "…";
  try {
    const answer = await sendJson(`/api/operator/${name}`, { value });
    where.textContent = answer.message || "Done.";
  } catch (error) {
    where.textContent = error.message;
  }
}

function onSubmit(form, act) {
  $(form).onsubmit = (event) => { event.preventDefault(); act(); };
}

$("#interrupt").onclick = () => order("interrupt", "", $("#does"));
$("#reset").onclick = () => order("reset", "", $("#does"));
$("#record").onclick = () => order("record", $("#record").getAttribute("aria-pressed") === "true" ? "stop" : "start", $("#recording"));
onSubmit("#persona-form", () => order("persona", $("#persona").value, $("#who")));
onSubmit("#prompt-form", () => order("prompt", $("#prompt-text").value, $("#does")));
onSubmit("#say-form", () => order("say", $("#say").value, $("#does")));

let chosen = null;
let limitMb = 8;
$("#reference").onchange = () => {
  [chosen] = $("#reference").files;
  $("#chosen").hidden = !chosen;
  $("#anyway").hidden = true;
  if (chosen) $("#chosen").src = URL.createObjectURL(chosen);
  const tooLarge = chosen && chosen.size > limitMb * 2 ** 20;
  $("#who").textContent = tooLarge ? `This picture is larger than ${limitMb} MB.` : "";
};
async function usePicture(framing) {
  $("#who").textContent = "…";
  $("#anyway").hidden = true;
  try {
    const answer = await ask(`/api/operator/reference?framing=${framing}`, { method: "POST", headers: { "content-type": chosen.type }, body: chosen });
    $("#who").textContent = `This is the avatar from now on: ${answer.message}.`;
  } catch (error) {
    $("#who").textContent = error.message;
    $("#anyway").hidden = !error.message.includes("no face");
  }
}
onSubmit("#reference-form", () => usePicture("face"));
$("#anyway").onclick = () => usePicture("middle");

async function showPeople() {
  const { people } = await ask("/api/operator/people");
  for (const { name, looks } of people) {
    const button = document.createElement("button");
    const picture = new Image(64, 64);
    picture.src = `/api/operator/people/${name}`;
    button.title = button.ariaLabel = picture.alt = `${name}, ${looks}`;
    button.append(picture);
    button.onclick = () => order("person", name, $("#who"));
    $("#people").append(button);
  }
}

const about = await ask("/api/about");
$("#logout").hidden = !about.logged_in;
limitMb = about.max_upload_mb;
$("#title").textContent = about.title;
document.title = `${about.title} – operator`;
for (const name of about.personas) $("#persona").append(new Option(name));
$("#persona-form").hidden = !about.personas.length;
$("#say-form").hidden = $("#interrupt").hidden = $("#reset").hidden = about.mode === "puppet";
showPeople();
listen();
