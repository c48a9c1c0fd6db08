"""What this worker was asked and how it ended: one record a job, in a database, in objects, or nowhere."""
