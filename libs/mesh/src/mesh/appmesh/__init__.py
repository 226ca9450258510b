"""App Mesh manifests (`appmesh.k8s.aws/v1beta2`), read strictly and judged before they are used."""
