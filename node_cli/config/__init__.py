"""What a run is told to do, checked before any work begins. Nothing here imports torch."""
