in vec3 P, N, A;
in float G;
out vec4 colour;
void main() {
  vec3 n = normalize(N), v = normalize(eye - P), a = linear(A);
  if (dot(n, v) < 0.) n = -n;
#ifdef LENS
  float edge = pow(1. - max(dot(n, v), 0.), 3.);
  vec3 c = vec3(gleam(n, v, key_from, 200.)) * key * .4 + room(reflect(-v, n)) * (.03 + .4 * edge);
  colour = vec4(toned(c), .06 + .45 * edge);
#else
  float k = max(dot(n, key_from) * .75 + .25, 0.);
  vec3 d = a * (key * k + fill * max(dot(n, fill_from) * .7 + .3, 0.) + room(n));
  d += (gleam(n, v, key_from, 60.) * key + gleam(n, v, fill_from, 40.) * fill) * G * .22;
  float edge = pow(1. - max(dot(n, v), 0.), 3.);
  d += room(reflect(-v, n)) * edge * G * .6;
  colour = vec4(toned(d), 1);
#endif
}
