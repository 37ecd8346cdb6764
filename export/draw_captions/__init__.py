"""Draws pictures of many captions by a SavedModel, on one machine or a cluster, by Apache Beam.

    python -m export.draw_captions --saved_model_dir=served/birds --captions_file=captions.txt \
        --output_dir=pictures
    python -m export.draw_captions ... --runner=FlinkRunner -- --flink_master=host:8081

The captions are a text file of one a line, or a table (CSV, TSV, JSONL, Parquet) with their ids.
`metadata.jsonl` tells the file of each caption and seed; it appears once all are drawn, so that the
folder is a data set for --source=table. Stopped and called again, it draws what is missing.
"""
