// A figure with its name and a line of its last values.

const VALUES = 120;

export class Chart {
  constructor(name, unit, digits = 0) {
    Object.assign(this, { unit, digits, values: [] });
    this.box = document.createElement("div");
    this.box.className = "figure";
    this.box.innerHTML = '<b>–</b><span></span><svg viewBox="0 0 120 36" preserveAspectRatio="none" aria-hidden="true"><polyline/></svg>';
    this.box.querySelector("span").textContent = name;
  }

  add(value) {
    if (!Number.isFinite(value)) return;
    this.values.push(value);
    this.values.splice(0, this.values.length - VALUES);
    const low = Math.min(0, ...this.values);
    const high = Math.max(...this.values, low + 1e-9);
    const points = this.values.map((v, i) => `${i + VALUES - this.values.length},${(34 - (32 * (v - low)) / (high - low)).toFixed(1)}`);
    this.box.querySelector("b").textContent = `${value.toFixed(this.digits)} ${this.unit}`;
    this.box.querySelector("polyline").setAttribute("points", points.join(" "));
  }
}
