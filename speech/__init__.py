"""How text becomes audio. Read `synthesis.py` first: the road of a job."""
