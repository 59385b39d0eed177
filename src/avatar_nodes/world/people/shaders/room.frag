in vec2 at;
out vec4 colour;
uniform sampler2D picture;
void main() { colour = vec4(texture(picture, at).rgb, 1); }
