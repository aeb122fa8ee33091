"""What the dashboards show; `build.py` beside this folder writes them."""
