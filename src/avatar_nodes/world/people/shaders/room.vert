in vec2 corner;
uniform vec4 window; // the part of the room that is seen: x, y, width, height
out vec2 at;
void main() {
  at = window.xy + (corner * .5 + .5) * window.zw;
  gl_Position = vec4(corner, .9999, 1);
}
