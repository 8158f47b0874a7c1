"""Seeded wards for tests, demonstrations and measuring: bodies, devices, a hospital, dirt; each message with its truth."""
