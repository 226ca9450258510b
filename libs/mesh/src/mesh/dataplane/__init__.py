"""From App Mesh manifests to a data plane of real Envoys, whose weights change while it runs."""
