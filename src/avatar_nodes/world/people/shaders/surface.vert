in vec3 position, normal;
in vec4 place, detail, baked;
in float shade; // 0 in the shadow of a raised arm
uniform mat4 view;
out vec3 P, N;
out vec4 C, U, X;
void main() {
  P = position; N = normal; C = place; U = detail; X = vec4(baked.x * shade, baked.yzw);
  gl_Position = view * vec4(position, 1);
}
