"""Blue-green rollouts: a new version takes over by weights, and goes back by itself."""
