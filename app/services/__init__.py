"""The verbs of the clinic. Collaborators come with the constructor, time is an argument."""
