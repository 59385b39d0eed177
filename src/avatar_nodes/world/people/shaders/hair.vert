// Lit by vertex: locks are many and thin.
in vec3 position, along, normal;
in vec4 lock;  // across, share, tone, openness
in vec2 hangs; // with the chest, free
uniform mat4 view, head, chest;
uniform vec3 swing, dark, bright;
uniform float gloss, strands;
out vec3 A, D, S;
out vec4 U;
void main() {
  vec3 a = (head * vec4(position, 1)).xyz, b = (chest * vec4(position, 1)).xyz;
  vec3 p = mix(a, b, hangs.x) + swing * hangs.y;
  mat3 h = mat3(head);
  vec3 t = normalize(h * along), n = normalize(h * normal), v = normalize(eye - p);
  float open = lock.w;
  float dk = max((dot(n, key_from) + .35) / 1.35, 0.);
  float df = max((dot(n, fill_from) + .4) / 1.4, 0.);
  float tk = dot(t, key_from); tk = sqrt(max(0., 1. - tk * tk));
  A = mix(linear(dark), linear(bright), clamp(lock.y * .45 + (lock.z - .5) * .5 + .25, 0., 1.));
  D = A * (key * dk * (.35 + .65 * tk) + fill * df + room(n)) * open;
  vec3 hh = normalize(v + key_from);
  float th = dot(t, hh) + (lock.z - .5) * .08;
  float s1 = exp2(-65. * (th + .06) * (th + .06)), s2 = exp2(-20. * (th - .10) * (th - .10));
  S = (s1 * .13 * gloss + s2 * gloss * .55 * A) * key * dk * open;
  hh = normalize(v + fill_from); th = dot(t, hh);
  S += exp2(-29. * th * th) * .25 * gloss * A * fill * open;
  float edge = 1. - max(dot(n, v), 0.); edge *= edge * edge;
  S += rim * max(dot(n, rim_from) + .2, 0.) * edge * (.25 * A + .03) * 1.5 * open;
  U = vec4(lock.x, lock.y, (lock.x * .5 + .5) * strands + lock.z * 37., lock.z);
  gl_Position = view * vec4(p, 1);
}
