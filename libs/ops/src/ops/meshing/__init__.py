"""`ubertruck mesh`: manifests judged, translated, compared; the running mesh as a picture."""
