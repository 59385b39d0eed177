// Teeth and tongue. detail: along the arch in teeth, height 0 gum .. 1 edge, openness, kind.
in vec3 P, N;
in vec4 C, U, X;
out vec4 colour;
uniform float mouth_open;
void main() {
  vec3 n = normalize(N), v = normalize(eye - P), a;
  if (dot(n, v) < 0.) n = -n;
  float open = X.x, gloss;
  if (U.w < .5) {
    float gap = abs(fract(U.x) - .5);
    a = mix(vec3(.78, .73, .64), vec3(.86, .83, .77), U.y);
    a = mix(vec3(.55, .22, .21), a, smoothstep(.02, .18, U.y));
    open *= smoothstep(.5, .40, gap) * .30 + .70;
    gloss = .07;
  } else {
    a = vec3(.46, .13, .13) * (.85 + .15 * U.y);
    gloss = .05;
  }
  open *= mix(.45, 1., smoothstep(0., .6, mouth_open));
  vec3 d = a * (key * max(dot(n, key_from) * .6 + .4, 0.) + fill * max(dot(n, fill_from) * .6 + .4, 0.)
              + room(n)) * open;
  d += (gleam(n, v, key_from, 60.) * key + gleam(n, v, fill_from, 40.) * fill) * gloss * open * open;
  colour = vec4(toned(d), 1);
}
