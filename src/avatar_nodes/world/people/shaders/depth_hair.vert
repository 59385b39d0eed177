in vec3 position;
in vec2 hangs;
uniform mat4 view, head, chest;
void main() {
  vec3 a = (head * vec4(position, 1)).xyz, b = (chest * vec4(position, 1)).xyz;
  gl_Position = view * vec4(mix(a, b, hangs.x), 1);
}
