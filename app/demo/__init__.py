"""The demo: a real Orthanc, synthetic studies and Studykey itself on one machine.

Nothing in production imports it; tests do.
"""
