in vec3 position;
uniform mat4 view, ball;
out vec3 P, D, N;
void main() {
  D = position;
  float cornea = 1. + .035 * smoothstep(.86, 1., -position.y);
  vec4 q = ball * vec4(position * cornea, 1);
  P = q.xyz; N = mat3(ball) * position;
  gl_Position = view * q;
}
