in vec3 position, normal, tint;
in float gloss;
uniform mat4 view, model;
out vec3 P, N, A;
out float G;
void main() {
  vec4 p = model * vec4(position, 1);
  P = p.xyz; N = mat3(model) * normal; A = tint; G = gloss;
  gl_Position = view * p;
}
