"""The door for agents: tools that read, over the Model Context Protocol."""
