// Float samples of the microphone to packets of 40 ms of 16 bits.

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.packet = new Int16Array(640);
    this.filled = 0;
  }

  process([[channel]]) {
    for (const sample of channel || []) {
      this.packet[this.filled] = Math.max(-1, Math.min(1, sample)) * 32767;
      this.filled += 1;
      if (this.filled === this.packet.length) {
        this.port.postMessage(this.packet.slice().buffer);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
