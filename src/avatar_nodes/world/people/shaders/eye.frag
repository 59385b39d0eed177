in vec3 P, D, N;
out vec4 colour;
uniform vec3 iris;
uniform float iris_size, lid;
uniform mat3 head;
void main() {
  vec3 d = normalize(D), n = normalize(N), v = normalize(eye - P);
  float angle = atan(d.z, d.x), q = acos(clamp(-d.y, -1., 1.)) / iris_size;
  vec3 white = vec3(.72, .70, .685) * (1. - .10 * smoothstep(1., 2.4, q));
  white = mix(white, vec3(.70, .42, .38), smoothstep(1.5, 3., q) * .4);
  float fibre = .75 + .17 * sin(angle * 23. + 2. * sin(angle * 7.)) + .12 * sin(angle * 61. + q * 9.);
  vec3 i = iris * fibre * mix(.85, 1.5, smoothstep(.9, .45, q));
  i = mix(i, i * vec3(1.35, 1.1, .75) + .02, smoothstep(.7, .45, q) * .5);
  i *= mix(1., .25, smoothstep(.78, 1.02, q));
  i *= 1. + .6 * max(0., -dot(normalize(vec3(d.x, 0., d.z) + 1e-4), vec3(.3, 0., .9)))
          * smoothstep(.35, .8, q);
  i = mix(vec3(.006), i, smoothstep(.36, .46, q));
  vec3 a = mix(i, white, smoothstep(.93, 1.08, q));
  vec3 in_head = transpose(head) * n;
  float open = smoothstep(.62 + lid * .2, -.1, in_head.z) * .75 + .25;
  open *= smoothstep(1.15, .55, abs(in_head.x)) * .55 + .45;
  float k = max(dot(n, key_from) * .6 + .4, 0.);
  vec3 c = a * (k * key * .75 + fill * max(dot(n, fill_from) * .6 + .4, 0.) + room(n) * .9) * open;
  vec3 r = reflect(-v, n);
  float s = exp2((dot(r, key_from) - 1.) * 317.) * 3.;
  s += pow(max(dot(r, normalize(key_from + vec3(.12, 0., .05))), 0.), 500.) * 1.5;
  s += pow(max(dot(r, fill_from), 0.), 90.) * .12;
  float edge = pow(1. - max(dot(n, v), 0.), 4.);
  c += (s * key * .6 + room(r) * (.04 + .25 * edge)) * open;
  colour = vec4(toned(c), 1);
}
