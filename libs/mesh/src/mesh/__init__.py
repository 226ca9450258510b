"""The edge gateway and the data plane: from descriptions and manifests to Envoy configurations."""
