"""Networks only: the diffusion transformer, its encoders and its checkpoints. Imports torch and
friends.
"""
