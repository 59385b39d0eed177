// detail: along the lid, 0 root .. 1 tip, strength.
in vec3 P, N;
in vec4 C, U, X;
out vec4 colour;
void main() {
  float s = abs(fract(U.x * 22. + U.y * .6) - .5) * 2.;
  float hair = (1. - smoothstep(0., .25, s - (1. - U.y * 1.1))) * smoothstep(.95, .6, U.y) * U.z;
  if (hair < .45) discard;
  colour = vec4(toned(vec3(.002) * (room(N) + key * .2)), 1);
}
