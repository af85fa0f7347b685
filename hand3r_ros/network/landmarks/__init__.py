"""MediaPipe's palm detector and hand landmark network as torch modules."""
