// detail: across the hair -1 .. 1, 0 root .. 1 tip, tone.
in vec3 P, N;
in vec4 C, U, X;
out vec4 colour;
uniform vec3 hair;
void main() {
  float cover = smoothstep(1., .4, abs(U.x)) * (1. - .75 * U.y) * .9;
  if (cover < .40) discard;
  vec3 n = normalize(N), a = linear(hair) * (.7 + .8 * U.z);
  float k = max(dot(n, key_from) * .6 + .4, 0.);
  colour = vec4(toned(a * (key * k + fill * .6 + room(n)) * (.5 + .5 * U.y)), 1);
}
