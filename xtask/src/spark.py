"""Sums by month of the table `runs`, one JSON object a line."""

import json
import sys

from pyspark.sql import SparkSession

builder = SparkSession.builder.master("local[*]").appName("ergometer")
builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false")
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
spark.read.parquet(sys.argv[1] + "/runs.parquet").createOrReplaceTempView("runs")
rows = spark.sql("""
    SELECT date_format(started, 'yyyy-MM') AS name, count(*) AS runs, sum(it_joules) AS joules,
           sum(co2e_g) AS co2e_g, sum(seconds) AS seconds, count_if(failed) AS failed,
           count_if(NOT finished) AS not_finished
    FROM runs GROUP BY name
""").collect()
for row in rows:
    print(json.dumps(row.asDict()))
spark.stop()
