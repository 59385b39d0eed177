// Picture and sound over one WebSocket, for networks that let no WebRTC through: each JPEG is drawn when its sound is heard.

const DELAY_S = 0.2;
const LATEST_S = 0.6;
const [FRAME, SOUND] = [0, 1];

export class SocketPlayer {
  constructor(canvas, session, sampleRate, onEnd) {
    Object.assign(this, { canvas, sampleRate, onEnd });
    this.url = `${location.origin.replace(/^http/, "ws")}/api/sessions/${session}/media`;
    this.sound = new AudioContext({ sampleRate: 48000 });
    this.offset = null; // audio clock [s] minus media clock [s]
    this.frames = [];
    this.drawn = 0;
  }

  open() {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(this.url);
      this.socket.binaryType = "arraybuffer";
      this.socket.onopen = () => { this.draw(); resolve(); };
      this.socket.onclose = () => { reject(new Error("refused")); this.onEnd(); };
      this.socket.onmessage = ({ data }) => this.take(new DataView(data));
    });
  }

  take(view) {
    const time = view.getFloat64(4, true) / 1000;
    const body = new Uint8Array(view.buffer, 12);
    if (view.getUint8(0) === SOUND) this.play(time, new Int16Array(body.slice().buffer));
    if (view.getUint8(0) === FRAME) this.frames.push({ time, picture: createImageBitmap(new Blob([body], { type: "image/jpeg" })) });
    while (this.frames.length > 25) this.frames.shift();
  }

  play(time, samples) {
    const now = this.sound.currentTime;
    const ahead = this.offset === null ? -1 : time + this.offset - now;
    if (ahead < 0.01 || ahead > LATEST_S) this.offset = now + DELAY_S - time;
    if (!samples.length) return;
    const buffer = this.sound.createBuffer(1, samples.length, this.sampleRate);
    const channel = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i += 1) channel[i] = samples[i] / 32768;
    const source = this.sound.createBufferSource();
    source.buffer = buffer;
    source.connect(this.sound.destination);
    source.start(time + this.offset);
  }

  async draw() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    requestAnimationFrame(() => this.draw());
    if (this.offset === null) return;
    const due = this.sound.currentTime - this.offset;
    let next = null;
    while (this.frames.length && this.frames[0].time <= due) next = this.frames.shift();
    if (!next) return;
    const picture = await next.picture.catch(() => null);
    if (!picture) return;
    Object.assign(this.canvas, { width: picture.width, height: picture.height });
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.drawn += 1;
  }

  resume() { return this.sound.resume(); }

  async setMicrophone(track) {
    await this.ear?.close();
    this.ear = null;
    if (!track) return;
    this.ear = new AudioContext({ sampleRate: 16000 });
    await this.ear.audioWorklet.addModule("/static/microphone_worklet.js");
    const node = new AudioWorkletNode(this.ear, "microphone");
    node.port.onmessage = ({ data }) => this.socket.readyState === WebSocket.OPEN && this.socket.send(data);
    this.ear.createMediaStreamSource(new MediaStream([track])).connect(node);
  }

  close() {
    this.socket.onclose = null;
    this.socket.close();
    this.sound.close();
    this.ear?.close();
  }
}
