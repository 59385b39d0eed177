// One page's session with the avatar: WebRTC where it works, a socket otherwise; begun anew for ever.

import { SocketPlayer } from "/static/socket_player.js";

const CONNECT_MS = 6000;
const FROZEN_MS = 8000;
const LONGEST_PAUSE_MS = 4000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const text = await answer.text();
  const value = answer.headers.get("content-type")?.startsWith("application/json") ? JSON.parse(text) : text;
  if (!answer.ok) {
    const error = new Error(value.error || value.message || `${answer.status}`);
    Object.assign(error, { status: answer.status, retryS: value.retry_s || 0 });
    throw error;
  }
  return value;
}

export const sendJson = (path, value) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

// Events: `status` {status: connecting|live|busy|offline, message}, `avatar` (what the server tells), `microphone` {on, message}.
export class Connection extends EventTarget {
  constructor({ video, canvas, media = "" }) {
    super();
    Object.assign(this, { video, canvas, forced: media, media: "", session: "", about: null });
    this.microphoneTrack = null;
    this.closed = false;
    addEventListener("pagehide", () => this.leave());
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async run() {
    for (let failures = 0; !this.closed; failures += 1) {
      this.tell("status", { status: "connecting", message: failures ? "Connecting again …" : "" });
      const begun = Date.now();
      let wait = Math.min(250 * 2 ** failures, LONGEST_PAUSE_MS);
      try {
        await this.live();
      } catch (error) {
        if (error.status === 401) return location.reload();
        if (error.retryS) wait = error.retryS * 1000;
        this.tell("status", { status: error.status === 503 ? "busy" : "offline", message: error.status ? error.message : "" });
      }
      this.hangUp();
      if (Date.now() - begun > 15000) failures = 0;
      await pause(wait);
    }
  }

  // From the opening of a session until something of it ends.
  async live() {
    this.about = await ask("/api/about");
    this.tell("about", this.about);
    const { id } = await sendJson("/api/sessions", { resume: sessionStorage.session || "" });
    this.session = sessionStorage.session = id;
    const ended = new Promise((resolve) => { this.end = resolve; });
    await this.openEvents();
    if (this.forced !== "socket") await this.openPeer().catch((error) => console.warn("no WebRTC:", error.message));
    if (this.media !== "webrtc") await this.openSocket();
    if (this.microphoneTrack) await this.startMicrophone();
    this.tell("status", { status: "live", message: "" });
    await ended;
  }

  openEvents() {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/sessions/${this.session}/events`);
      this.events = socket;
      socket.onopen = resolve;
      socket.onclose = () => { reject(new Error("the connection was refused")); this.end?.(); };
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        this.tell(event.type === "microphone" ? "microphone" : "avatar", event);
      };
    });
  }

  async openPeer() {
    const peer = new RTCPeerConnection({ iceServers: this.about.ice_servers });
    this.peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    this.sender = peer.addTransceiver("audio", { direction: "sendrecv" }).sender;
    peer.ontrack = ({ streams }) => { this.video.srcObject = streams[0]; };
    await peer.setLocalDescription(await peer.createOffer());
    await this.gathered(peer);
    const sdp = await ask(`/api/sessions/${this.session}/offer`, {
      method: "POST", headers: { "content-type": "application/sdp" }, body: peer.localDescription.sdp,
    });
    await peer.setRemoteDescription({ type: "answer", sdp });
    await this.connected(peer);
    this.media = "webrtc";
    peer.onconnectionstatechange = () => {
      if (["failed", "closed"].includes(peer.connectionState)) this.end();
      if (peer.connectionState === "disconnected") setTimeout(() => peer.connectionState === "disconnected" && this.end(), 3000);
    };
    this.canvas.hidden = !(this.video.hidden = false);
    this.watchPicture();
  }

  // Without STUN or TURN the first address will do: the server learns the others from the checks that come from there.
  gathered(peer) {
    const enough = this.about.ice_servers.length === 0;
    return Promise.race([pause(1000), new Promise((done) => {
      const look = () => peer.iceGatheringState === "complete" && done();
      peer.onicegatheringstatechange = look;
      peer.onicecandidate = ({ candidate }) => enough && candidate?.candidate && setTimeout(done, 0);
      look();
    })]);
  }

  connected(peer) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => { peer.close(); reject(new Error("no way through the network")); }, CONNECT_MS);
      const look = () => {
        if (peer.connectionState === "connected") { clearTimeout(late); resolve(); }
        if (peer.connectionState === "failed") { clearTimeout(late); reject(new Error("failed")); }
      };
      peer.onconnectionstatechange = look;
      look();
    });
  }

  // A picture that stands still for long means that something between has died without saying so.
  watchPicture() {
    let shown = performance.now();
    const { video, peer } = this;
    const frame = () => { shown = performance.now(); video.requestVideoFrameCallback?.(frame); };
    if (!video.requestVideoFrameCallback) return;
    video.requestVideoFrameCallback(frame);
    const watch = setInterval(() => {
      if (peer !== this.peer) return clearInterval(watch);
      if (document.visibilityState === "visible" && performance.now() - shown > FROZEN_MS) this.end();
      if (document.visibilityState !== "visible") shown = performance.now();
    }, 1000);
  }

  async openSocket() {
    this.peer?.close();
    this.peer = this.sender = null;
    this.player = new SocketPlayer(this.canvas, this.session, this.about.sample_rate, () => this.end());
    await this.player.open();
    this.media = "socket";
    this.video.hidden = !(this.canvas.hidden = false);
  }

  // The first call must come from a click where the browser asks for one.
  async setMicrophone(on, deviceId) {
    this.microphoneTrack?.stop();
    this.microphoneTrack = null;
    if (on) {
      if (!navigator.mediaDevices) throw new Error("The microphone needs HTTPS, or this machine itself.");
      const sound = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
      if (deviceId) sound.deviceId = { exact: deviceId };
      const stream = await navigator.mediaDevices.getUserMedia({ audio: sound });
      [this.microphoneTrack] = stream.getAudioTracks();
      this.microphoneTrack.onended = () => { this.tell("microphone", { on: false, message: "The microphone was unplugged." }); };
      await this.startMicrophone();
    } else {
      this.wish(false); // before what may fail: the button and the server learn of it in any case
      this.player?.setMicrophone(null);
      await this.sender?.replaceTrack(null);
    }
  }

  async startMicrophone() {
    this.wish(true);
    if (this.media === "webrtc") await this.sender.replaceTrack(this.microphoneTrack);
    else this.player?.setMicrophone(this.microphoneTrack);
  }

  wish(on) {
    if (this.events?.readyState === WebSocket.OPEN) this.events.send(JSON.stringify({ type: "microphone", on }));
  }

  say(text) { return sendJson(`/api/sessions/${this.session}/ask`, { text }); }

  stop() { return sendJson(`/api/sessions/${this.session}/stop`, {}); }

  hangUp() {
    this.media = "";
    this.player?.close();
    this.peer?.close();
    if (this.events) this.events.onclose = null;
    this.events?.close();
    this.player = this.peer = this.sender = this.events = null;
  }

  leave() {
    this.closed = true;
    if (this.session) navigator.sendBeacon(`/api/sessions/${this.session}/leave`);
    this.hangUp();
  }
}
