"""Journeys of people: real Orthanc, real browser, real pixels."""
