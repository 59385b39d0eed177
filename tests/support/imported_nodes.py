"""Imports what the nodes of a graph need, before processes are forked that run them."""

import avatar_nodes.nodes.conductor
import avatar_nodes.nodes.container
import avatar_nodes.nodes.decoder
import avatar_nodes.nodes.denoiser
import avatar_nodes.nodes.memory
import avatar_nodes.nodes.microphone
import avatar_nodes.nodes.presenter
import avatar_nodes.nodes.reasoner
import avatar_nodes.nodes.timeline
import avatar_nodes.nodes.voice  # noqa: F401
