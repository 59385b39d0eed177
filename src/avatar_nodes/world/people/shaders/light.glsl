// Light that all surfaces share: a key, a fill, a rim light and the room.
uniform vec3 eye;
uniform vec3 key_from, fill_from, rim_from;
uniform vec3 key, fill, rim, sky, ground;
uniform float exposure;

vec3 toned(vec3 c) { // filmic curve, then sRGB
  c *= exposure;
  c = c * (2.51 * c + .03) / (c * (2.43 * c + .59) + .14);
  c = sqrt(clamp(c, 0., 1.));
  return c * (1.06 - .06 * c);
}
vec3 linear(vec3 c) { return c * c * (.3 * c + .7); }
vec3 room(vec3 n) { return mix(ground, sky, n.z * .5 + .5); }
float gleam(vec3 n, vec3 v, vec3 l, float power) {
  vec3 h = normalize(v + l);
  return exp2((dot(n, h) - 1.) * power * 1.44) * (power + 8.) * .04;
}
