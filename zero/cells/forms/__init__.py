"""Forms of genome: what a space's genomes consist of, one class each (`zero.cells.forms.form`)."""
