// LAYER: 0 garment, 1 collar, 2 shirt under a jacket, 3 beanie, 4 scarf, 5 drape, 6 scalp.
// GARMENT: 0 tee, 1 v-neck, 2 turtleneck, 3 blazer, 4 shirt, 5 sweater.
// PATTERN: 0 plain, 1 stripes, 2 checks, 3 dots, 4 knit, 5 melange; 10 shirt, 11 with a tie.
// detail: distance to the edge [m], -, openness, tone. baked: light of the key, folds.
in vec3 P, N;
in vec4 C, U, X;
out vec4 colour;
uniform vec3 first, second, third;
uniform vec4 neck;
uniform float scale, folded;
float covered(vec4 c) { // distance to the garment's edge, as clothes.covered
  float edge = .549 + neck.y + .36 * (c.y + .075) - .10 * max(abs(c.x) - .05, 0.);
  float radius = length(vec2(c.x, (c.y + .028) * (c.y > -.028 ? .85 : .95)));
  float below = edge - c.z, outside = min((radius - .071 + neck.y * 1.2) * .8, (.603 - c.z) * 1.5);
  float share = clamp(.5 + .5 * (below - outside) / .022, 0., 1.);
  float d = mix(outside, below, share) + .022 * share * (1. - share);
#if GARMENT == 1 || GARMENT == 3 || GARMENT == 4
  float up = c.z - (.549 + neck.y - neck.z);
  float beside = abs(c.x) - neck.w * min(up / neck.z, 1.5);
  if (c.y < 0.) d = min(d, up > 0. ? beside : length(vec2(c.x, up)));
#endif
  return c.w > 0. ? min(d, (neck.x - c.w) * .22) : d;
}
float lapel(vec4 c) { // + on the lapel
  float base = .549 + neck.y - neck.z, t = (c.z - base) / neck.z;
  float open = neck.w * clamp(t, -.2, 1.5);
  t = clamp(t, 0., 1.);
  float wide = .012 + .052 * smoothstep(0., .75, t) - step(.74, t) * step(t, .79) * .03;
  wide = mix(wide, .034, step(.79, t));
  return min(wide - (abs(c.x) - open), c.z - base);
}
float leaf(vec4 c) { // + on the leaf of a shirt's collar
  float top = .596 + .36 * (c.y + .075);
  float radius = length(vec2(c.x, (c.y + .028) * (c.y > -.028 ? .85 : .95)));
  float down = (top - c.z) * .8 + max(radius - .060, 0.) * .9;
  float longest = .046 + .022 * smoothstep(0., -.06, c.y) * smoothstep(.085, .03, abs(c.x));
#if GARMENT == 3
  longest *= .72;
#endif
  float d = min(top - c.z, longest - down);
  float gap = .010 + max(0., top - c.z) * .50;
  return c.y < 0. ? min(d, abs(c.x) - gap) : d;
}
void button(vec2 at, float radius, inout vec3 a, inout float open) {
  float b = length(at);
  if (b < radius) { a = linear(third); open *= smoothstep(radius * 1.04, radius * .68, b) * .55 + .45; }
}
void main() {
  vec3 n = normalize(N), v = normalize(eye - P);
  if (!gl_FrontFacing) n = -n;
#if LAYER == 0
  float cover = covered(C);
#else
  float cover = U.x;
#endif
  float edge = 1., open = gl_FrontFacing ? U.z : U.z * .4;
  vec3 a = linear(first);
#if LAYER == 0
  if (cover < 0.) discard;
  edge = smoothstep(0., .004, cover);
#if GARMENT == 3
  float l = lapel(C);
  if (C.y < 0.) {
    open *= mix(.62, 1., smoothstep(0., .016, -l)) * step(l, 0.) + step(0., l);
    if (l > 0.) { a *= 1.07; n = normalize(n + vec3(0., -.25, .15)); open *= mix(.8, 1., smoothstep(0., .004, l)); }
    float base = .549 + neck.y - neck.z;
    if (C.z < base && l < 0.) {
      open *= mix(.6, 1., smoothstep(0., .005, abs(C.x - .004)));
      for (int i = 0; i < 2; i++) button(C.xz - vec2(-.012, base - .02 - .09 * float(i)), .0075, a, open);
    }
  }
#elif GARMENT == 4
  open *= mix(.55, 1., smoothstep(0., .014, -leaf(C)));
  if (C.y < -.02) {
    open *= mix(.72, 1., smoothstep(0., .0025, abs(abs(C.x) - .016)));
    button(vec2(C.x, mod(C.z, .075) - .037), .0062, a, open);
  }
#elif GARMENT != 2
  if (cover < .016 && C.w < neck.x - .15) { // rib at the neck
    n = normalize(n + .12 * vec3(sin(atan(C.x, -(C.y + .03)) * 60.), 0., 0.));
#if GARMENT == 5
    a *= .9;
#else
    a = mix(a, linear(second), .35);
#endif
    open *= mix(.7, 1., smoothstep(0., .002, abs(cover - .016)));
  }
#endif
#elif LAYER == 1
  float l = leaf(C);
  if (l < 0.) discard;
  edge = smoothstep(0., .003, l); a *= 1.03;
  open = mix(.8, 1., edge) * mix(.78, 1., smoothstep(0., .0012, abs(l - .005)));
#elif LAYER == 2
  if (.586 + .36 * (C.y + .075) - C.z < 0.) discard;
  a = linear(second);
#if PATTERN == 11
  float wide = C.z > .535 ? .018 : .011 + (.54 - C.z) * .12;
  if (C.y < 0. && abs(C.x) < wide) {
    float stripe = smoothstep(.5, .6, sin((C.x + C.z) * 420.));
    a = mix(linear(third), linear(third) * 1.7 + .03, stripe);
    n = normalize(n + vec3(C.x / wide * .8, -.3, 0.));
    open *= smoothstep(wide, wide - .004, abs(C.x)) * .5 + .5;
  } else if (C.y < 0.) open *= mix(.6, 1., smoothstep(0., .008, abs(C.x) - wide));
#else
  if (C.y < -.02) open *= mix(.8, 1., smoothstep(0., .0025, abs(abs(C.x) - .016)));
#endif
#elif LAYER == 6
  float q = fract(sin(dot(floor(C.xyz * vec3(420., 420., 160.)), vec3(12.99, 78.23, 37.7))) * 43758.5);
  if (U.x < .001 + .006 * q) discard;
  a *= .88 + .16 * q; open *= .6 + .4 * smoothstep(0., .02, U.x);
#else
  if (cover < 0.) discard;
  edge = smoothstep(0., .006, cover);
#if LAYER == 3
  float t = atan(C.x, -(C.y + .05)) * 46.;
  n = normalize(n + .22 * vec3(sin(t) * cos(t / 46.), sin(t) * sin(t / 46.), 0.));
  open *= .85 + .15 * cos(t);
  if (cover < .035) open *= mix(.72, 1., smoothstep(0., .004, abs(cover - .033)));
#else
  float fold = sin((C.z * 1.6 + abs(C.x) * 1.2 + C.y * .7) * 120. + X.y * 9.);
  n = normalize(n + .10 * fold * vec3(.4, 0., 1.) * smoothstep(0., .03, cover));
#endif
#endif
#if LAYER < 2
  float sx = C.w > .12 ? C.w * .25 : C.z;
#if PATTERN == 1
  float stripe = smoothstep(.48, .52, abs(fract(sx * scale * .5) - .5) * 2.);
  if (C.w < .25) stripe *= smoothstep(.537, .533, C.z - .12 * max(abs(C.x) - .1, 0.));
  a = mix(a, linear(second), stripe);
#elif PATTERN == 2
  a = mix(a, linear(second), .35 * (step(.6, fract(C.x * scale * .5)) + step(.6, fract(sx * scale * .5))));
#elif PATTERN == 3
  a = mix(a, linear(second), smoothstep(.2, .15, length(fract(vec2(C.x, sx) * scale * .5) - .5)));
#elif PATTERN == 4
  a *= .92 + .12 * sin(C.x * 900.) * sin(sx * 700.);
  n = normalize(n + .12 * vec3(cos(C.x * 900.), 0., sin(sx * 700.)));
#elif PATTERN == 5
  a *= .96 + .08 * sin(C.x * 1500. + 9. * sin(C.z * 140.));
#endif
#endif
  n = normalize(n + X.yzw * folded);
  open *= .55 + .45 * edge;
  float lit = X.x;
  vec3 d = a * (key * clamp((dot(n, key_from) + .2) / 1.2, 0., 1.) * lit * mix(1., open, .55)
              + fill * max((dot(n, fill_from) + .3) / 1.3, 0.) * open + room(n) * open);
  float fuzz = 1. - max(dot(n, v), 0.); fuzz *= fuzz * fuzz;
  d += (.25 * a + .02) * fuzz * (room(n) + rim * .5 * max(dot(n, rim_from) + .3, 0.)) * open;
  d += gleam(n, v, key_from, 18.) * key * .015 * lit * open;
  colour = vec4(toned(d), 1);
}
