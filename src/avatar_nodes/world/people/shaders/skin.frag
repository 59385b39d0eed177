// detail: texture coordinates, openness, island (0 body, 1 head, 2 inside of the mouth).
// baked: light of the key, mottle of the body.
in vec3 P, N;
in vec4 C, U, X;
out vec4 colour;
uniform sampler2D albedo;
uniform vec3 skin, scatter;
uniform vec4 island;
uniform float oil;
void main() {
  vec3 n = normalize(N), v = normalize(eye - P);
  vec3 a; float rough = .46, open = U.z;
  if (U.w > 1.5) {
    a = vec3(.085, .022, .022); open *= .3; rough = .25;
  } else if (U.w > .5) {
    vec4 t = texture(albedo, (U.xy - island.xy) / island.zw);
    a = linear(t.rgb); rough = t.a;
  } else a = linear(skin) * X.y;
  float lit = X.x, d = dot(n, key_from);
  vec3 wrap = scatter * vec3(1., .5, .32);
  vec3 k = clamp((vec3(d) + wrap) / (1. + wrap), 0., 1.);
  k *= k * .35 + .65;
  vec3 shade = mix(vec3(lit), vec3(1.), vec3(.22, .10, .07) * clamp(d * 1.2 + .3, 0., 1.));
  vec3 diffuse = k * key * shade * (.6 + .4 * open);
  diffuse += clamp((dot(n, fill_from) + wrap) / (1. + wrap), 0., 1.) * fill * (.4 + .6 * open);
  diffuse += room(n) * vec3(open * (1.35 - .35 * open), open, open * (.88 + .12 * open));
  float edge = 1. - max(dot(n, v), 0.); edge *= edge; edge *= edge;
  float power = mix(60., 9., rough), h = dot(n, normalize(v + key_from)) - 1.;
  float s = (exp2(h * power * 1.44) * (power + 8.) * .028
           + exp2(h * power * .43) * (power * .3 + 8.) * .024) * lit;
  vec3 shine = (s * key + gleam(n, v, fill_from, 14.) * .5 * fill)
             * mix(.070, .02, rough) * (1. + 3. * edge) * open * oil;
  float r = max(dot(n, rim_from) + .15, 0.);
  shine += rim * r * r * (.12 + edge * 1.2) * open * (.35 + .65 * a);
  shine += sky * (edge * .08 * open);
  colour = vec4(toned(a * diffuse + shine), 1);
}
