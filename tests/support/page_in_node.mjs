// The page's connection without a browser: WebRTC finds no way through, then the microphone goes on and off.

const told = { microphone: [], wishes: [], error: "" };

class Sender {
  constructor(peer) { this.peer = peer; }
  async replaceTrack() {
    if (this.peer.connectionState === "closed") throw new DOMException("The peer connection is closed.", "InvalidStateError");
  }
}

class Peer {
  connectionState = "new";
  iceGatheringState = "complete";
  localDescription = { sdp: "" };
  addTransceiver() { return { sender: new Sender(this) }; }
  async createOffer() { return {}; }
  async setLocalDescription() {}
  async setRemoteDescription() { throw new Error("no way through the network"); }
  close() { this.connectionState = "closed"; }
}

class Socket {
  static OPEN = 1;
  readyState = 1;
  constructor() { setTimeout(() => this.onopen()); }
  send(text) { told.wishes.push(JSON.parse(text).on); }
  close() {}
}

class Player {
  async open() {}
  async setMicrophone(track) { told.microphone.push(track !== null); }
  close() {}
}

const about = { ice_servers: [], sample_rate: 16000 };
const answers = { "/api/about": about, "/api/sessions": { id: "one" }, "/api/sessions/one/offer": {} };
const track = { stop() {} };
const here = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true });
here("RTCPeerConnection", Peer);
here("WebSocket", Socket);
here("SocketPlayer", Player); // socket_player.js gives way to it
here("sessionStorage", {});
here("location", { origin: "http://here" });
here("addEventListener", () => {});
here("fetch", async (path) => Response.json(answers[path]));
here("navigator", { mediaDevices: { getUserMedia: async () => ({ getAudioTracks: () => [track] }) } });
console.warn = () => {};

const { Connection } = await import(process.argv[2]);
const connection = new Connection({ video: {}, canvas: {} });
const live = new Promise((done) => connection.addEventListener("status", ({ detail }) => detail.status === "live" && done()));
connection.run();
await live;
try {
  for (const on of [true, false, true]) await connection.setMicrophone(on);
} catch (error) {
  told.error = error.name;
}
console.log(JSON.stringify({ media: connection.media, ...told }));
process.exit(0);
