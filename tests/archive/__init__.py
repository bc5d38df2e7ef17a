"""Tests on a real Orthanc, without a browser."""
