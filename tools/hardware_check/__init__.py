"""The parts of tools/check-hardware."""
