"""Loads the testkit's fixtures for every test."""

pytest_plugins = ["libs.testkit.plugin"]
