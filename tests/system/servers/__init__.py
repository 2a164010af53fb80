"""Real servers, one small class each, and peers that misbehave on purpose."""
