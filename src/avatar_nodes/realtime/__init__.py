"""Speech-to-speech servers of the OpenAI Realtime kind, which hear, think and speak in one."""
