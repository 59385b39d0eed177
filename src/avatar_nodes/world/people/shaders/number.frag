// Writes the number of the triangle, to find out which are ever seen.
uniform float first;
out vec4 number;
void main() { number = vec4(float(gl_PrimitiveID) + first, 0, 0, 1); }
