// A lock is closed in the middle; only its sides and its tip fray into strands.
in vec3 A, D, S;
in vec4 U;
uniform float fray; // 1 for straight hair, less where tips curl in
out vec4 colour;
void main() {
  float strand = floor(U.z);
  float r = fract(sin(strand * 12.9898 + U.w * 78.233) * 43758.5453);
  float across = abs(U.x), inside = U.z - strand - .5;
  float tip = 1. - .30 * fray * (1. - r);
  float side = 1. - smoothstep(.35, 1., U.y) * .55 * fray;
  if (U.y > tip || U.y < .07 * r || across > side * (.80 + .20 * r)) discard;
  float round = 1. - 1.1 * inside * inside;
  vec3 c = D * (.66 + .58 * r) * round + S * (.55 + .9 * fract(r * 7.3)) * round;
  c *= 1. - .25 * across * across;
  colour = vec4(toned(c), 1);
}
