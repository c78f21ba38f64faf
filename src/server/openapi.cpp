#include "server/openapi.hpp"

namespace enprof {

std::string_view openapi_document() {
  return R"json({
 "openapi": "3.1.0",
 "info": {
  "title": "enprof",
  "version": "0.1.0",
  "description": "Profiles LLM inference: where every joule went. Keys carry their units; what was not measured is null, never zero. The live stream is a WebSocket at /ws/profiling?since=SEQ: frames are arrays of {seq, run_id, type, t_ms, data}."
 },
 "paths": {
  "/api/profiling/generate": {
   "post": {
    "summary": "Profile a prompt in the background",
    "requestBody": {
     "required": true,
     "content": {
      "application/json": {
       "schema": {
        "$ref": "#/components/schemas/RunRequest"
       }
      }
     }
    },
    "responses": {
     "202": {
      "description": "Queued",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "position"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "position": {
           "type": "integer"
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "413": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     },
     "503": {
      "$ref": "#/components/responses/Problem"
     }
    }
   }
  },
  "/api/profiling/runs": {
   "get": {
    "summary": "List runs",
    "parameters": [
     {
      "name": "model",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "Exact name"
     },
     {
      "name": "tag",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "One of the tags"
     },
     {
      "name": "experiment",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "Exact"
     },
     {
      "name": "engine",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "With or without its version"
     },
     {
      "name": "text",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "Somewhere in the prompt"
     },
     {
      "name": "date_from",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "A day or an instant, UTC"
     },
     {
      "name": "date_to",
      "in": "query",
      "schema": {
       "type": "string"
      },
      "description": "Before this"
     },
     {
      "name": "sort_by",
      "in": "query",
      "schema": {
       "enum": [
        "date",
        "duration",
        "energy",
        "joules_per_token"
       ]
      },
      "description": "Largest or latest first"
     },
     {
      "name": "order",
      "in": "query",
      "schema": {
       "enum": [
        "asc",
        "desc"
       ]
      },
      "description": "Default desc"
     },
     {
      "name": "limit",
      "in": "query",
      "schema": {
       "type": "integer",
       "minimum": 1,
       "maximum": 1000
      },
      "description": "Default 50"
     },
     {
      "name": "offset",
      "in": "query",
      "schema": {
       "type": "integer"
      },
      "description": "Default 0"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "total",
          "runs"
         ],
         "properties": {
          "total": {
           "type": "integer"
          },
          "runs": {
           "type": "array",
           "items": {
            "$ref": "#/components/schemas/RunSummary"
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/run/{id}": {
   "get": {
    "summary": "A run",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     },
     {
      "name": "include",
      "in": "query",
      "schema": {
       "enum": [
        "operations"
       ]
      },
      "description": "Every operation of every pass, sampled values and power samples too"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "anyOf": [
          {
           "$ref": "#/components/schemas/Run"
          },
          {
           "$ref": "#/components/schemas/RunState"
          }
         ]
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   },
   "patch": {
    "summary": "Replace a run's tags",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     }
    ],
    "requestBody": {
     "required": true,
     "content": {
      "application/json": {
       "schema": {
        "type": "object",
        "required": [
         "tags"
        ],
        "properties": {
         "tags": {
          "type": "array",
          "maxItems": 32,
          "items": {
           "type": "string"
          }
         }
        }
       }
      }
     }
    },
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "tags"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "tags": {
           "type": "array",
           "items": {
            "type": "string"
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "413": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     },
     "503": {
      "$ref": "#/components/responses/Problem"
     }
    }
   },
   "delete": {
    "summary": "Cancel a run that waits or runs, else delete it",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     }
    ],
    "responses": {
     "200": {
      "description": "Deleted",
      "content": {
       "application/json": {
        "schema": {
         "$ref": "#/components/schemas/RunState"
        }
       }
      }
     },
     "202": {
      "description": "It is being cancelled",
      "content": {
       "application/json": {
        "schema": {
         "$ref": "#/components/schemas/RunState"
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     },
     "503": {
      "$ref": "#/components/responses/Problem"
     }
    }
   }
  },
  "/api/profiling/run/{id}/summary": {
   "get": {
    "summary": "A run without its lists",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "$ref": "#/components/schemas/RunHead"
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/run/{id}/pipeline": {
   "get": {
    "summary": "Phases and sections",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "phases",
          "sections"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "phases": {
           "type": "array"
          },
          "sections": {
           "type": "array"
          }
         }
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/run/{id}/power": {
   "get": {
    "summary": "Power against time",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     },
     {
      "name": "points",
      "in": "query",
      "schema": {
       "type": "integer",
       "minimum": 0
      },
      "description": "At most so many a series, chosen so that peaks stay; 0: all. Default 1000"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "point_columns",
          "domains",
          "total"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "point_columns": {
           "type": "array",
           "items": {
            "type": "string"
           }
          },
          "domains": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "name",
             "kind",
             "is_root",
             "points"
            ],
            "properties": {
             "name": {
              "type": "string"
             },
             "kind": {
              "type": "string"
             },
             "is_root": {
              "type": "boolean"
             },
             "points": {
              "type": "array",
              "items": {
               "type": "array",
               "items": {
                "type": "number"
               }
              }
             }
            }
           }
          },
          "total": {
           "type": "array",
           "items": {
            "type": "array",
            "items": {
             "type": "number"
            }
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/run/{id}/matrix": {
   "get": {
    "summary": "Layers by components, one metric",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     },
     {
      "name": "metric",
      "in": "query",
      "schema": {
       "enum": [
        "energy",
        "duration",
        "power",
        "pj_per_byte",
        "pj_per_flop",
        "activation_mean",
        "activation_std",
        "activation_max",
        "sparsity",
        "kill_ratio",
        "variance_ratio",
        "attention_entropy"
       ]
      },
      "description": "Default energy"
     },
     {
      "name": "phase",
      "in": "query",
      "schema": {
       "enum": [
        "pre_inference",
        "prefill",
        "decode",
        "post_inference"
       ]
      },
      "description": "Default: all"
     },
     {
      "name": "from",
      "in": "query",
      "schema": {
       "type": "integer"
      },
      "description": "First output token; -1: the prompt. With from or to, from the operations of a deep run"
     },
     {
      "name": "to",
      "in": "query",
      "schema": {
       "type": "integer"
      },
      "description": "Last output token"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "metric",
          "unit",
          "layers",
          "components",
          "values"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "metric": {
           "type": "string"
          },
          "unit": {
           "type": "string"
          },
          "layers": {
           "type": "array",
           "items": {
            "type": [
             "integer",
             "null"
            ]
           }
          },
          "components": {
           "type": "array",
           "items": {
            "type": "string"
           }
          },
          "values": {
           "type": "array",
           "items": {
            "type": "array",
            "items": {
             "type": [
              "number",
              "null"
             ]
            }
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/run/{id}/operations": {
   "get": {
    "summary": "Operations of a deep run by phase, layer and component",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     },
     {
      "name": "phase",
      "in": "query",
      "schema": {
       "enum": [
        "pre_inference",
        "prefill",
        "decode",
        "post_inference"
       ]
      },
      "description": "Default: all"
     },
     {
      "name": "from",
      "in": "query",
      "schema": {
       "type": "integer"
      },
      "description": "First output token; -1: the prompt"
     },
     {
      "name": "to",
      "in": "query",
      "schema": {
       "type": "integer"
      },
      "description": "Last output token"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "run_id",
          "operations"
         ],
         "properties": {
          "run_id": {
           "type": "string"
          },
          "operations": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "phase",
             "layer",
             "component",
             "op",
             "count",
             "duration_ms",
             "energy_mj",
             "flops",
             "bytes"
            ],
            "properties": {
             "phase": {
              "type": "string"
             },
             "layer": {
              "type": [
               "integer",
               "null"
              ],
              "description": "null: outside the layers"
             },
             "component": {
              "type": "string"
             },
             "op": {
              "type": "string"
             },
             "count": {
              "type": "integer"
             },
             "duration_ms": {
              "type": "number"
             },
             "energy_mj": {
              "type": [
               "number",
               "null"
              ]
             },
             "flops": {
              "type": [
               "number",
               "null"
              ]
             },
             "bytes": {
              "type": [
               "number",
               "null"
              ]
             }
            }
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/export/{id}": {
   "get": {
    "summary": "A whole run as a file",
    "parameters": [
     {
      "name": "id",
      "in": "path",
      "required": true,
      "schema": {
       "type": "string"
      },
      "description": "A run's full id"
     },
     {
      "name": "format",
      "in": "query",
      "schema": {
       "enum": [
        "json",
        "csv"
       ]
      },
      "description": "Default json; csv: all tables in a ZIP file"
     },
     {
      "name": "table",
      "in": "query",
      "schema": {
       "enum": [
        "run",
        "phases",
        "sections",
        "tokens",
        "layers",
        "components",
        "operations",
        "operation_kinds",
        "operation_events",
        "activations",
        "attention",
        "experts",
        "power_domains",
        "power_samples",
        "sensor_readings",
        "warnings"
       ]
      },
      "description": "With format=csv, this table alone"
     }
    ],
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "$ref": "#/components/schemas/Run"
        }
       },
       "text/csv": {
        "schema": {
         "type": "string"
        }
       },
       "application/zip": {
        "schema": {
         "type": "string",
         "format": "binary"
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     },
     "500": {
      "$ref": "#/components/responses/Problem"
     }
    }
   }
  },
  "/api/profiling/compare": {
   "post": {
    "summary": "Several runs side by side",
    "requestBody": {
     "required": true,
     "content": {
      "application/json": {
       "schema": {
        "type": "object",
        "required": [
         "run_ids"
        ],
        "properties": {
         "run_ids": {
          "type": "array",
          "items": {
           "type": "string"
          },
          "minItems": 2,
          "maxItems": 10
         }
        }
       }
      }
     }
    },
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "runs"
         ],
         "properties": {
          "runs": {
           "type": "array",
           "items": {
            "$ref": "#/components/schemas/ComparedRun"
           }
          }
         }
        }
       }
      }
     },
     "400": {
      "$ref": "#/components/responses/Problem"
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "413": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/models": {
   "get": {
    "summary": "Models that may be named",
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "models"
         ],
         "properties": {
          "models": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "name",
             "bytes"
            ],
            "properties": {
             "name": {
              "type": "string"
             },
             "bytes": {
              "type": "integer"
             }
            }
           }
          }
         }
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "404": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/power/status": {
   "get": {
    "summary": "Power sources, and power now",
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "running",
          "sources",
          "domains",
          "power_mw",
          "warnings"
         ],
         "properties": {
          "running": {
           "type": "boolean"
          },
          "sources": {
           "type": "array",
           "items": {
            "type": "string"
           }
          },
          "domains": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "name",
             "source",
             "method"
            ]
           }
          },
          "power_mw": {
           "type": [
            "number",
            "null"
           ]
          },
          "warnings": {
           "type": "array"
          }
         }
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/profiling/powermetrics/status": {
   "get": {
    "summary": "The same, as the system before this one called it",
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "running",
          "sources",
          "domains",
          "power_mw",
          "warnings"
         ],
         "properties": {
          "running": {
           "type": "boolean"
          },
          "sources": {
           "type": "array",
           "items": {
            "type": "string"
           }
          },
          "domains": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "name",
             "source",
             "method"
            ]
           }
          },
          "power_mw": {
           "type": [
            "number",
            "null"
           ]
          },
          "warnings": {
           "type": "array"
          }
         }
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    },
    "deprecated": true
   }
  },
  "/api/health": {
   "get": {
    "summary": "Every component: state, last error, since when",
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "status",
          "queued",
          "components"
         ],
         "properties": {
          "status": {
           "enum": [
            "ok",
            "degraded"
           ]
          },
          "running": {
           "type": [
            "string",
            "null"
           ]
          },
          "queued": {
           "type": "integer"
          },
          "components": {
           "type": "array",
           "items": {
            "type": "object",
            "required": [
             "name",
             "state",
             "since"
            ],
            "properties": {
             "name": {
              "type": "string"
             },
             "state": {
              "enum": [
               "ok",
               "failing"
              ]
             },
             "since": {
              "type": "string"
             },
             "code": {
              "type": [
               "string",
               "null"
              ]
             },
             "detail": {
              "type": [
               "string",
               "null"
              ]
             },
             "hint": {
              "type": [
               "string",
               "null"
              ]
             },
             "breaker": {
              "enum": [
               "closed",
               "open",
               "half_open"
              ]
             }
            }
           }
          }
         }
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/healthz": {
   "get": {
    "summary": "Alive",
    "responses": {
     "200": {
      "description": "ok",
      "content": {
       "text/plain": {
        "schema": {
         "type": "string"
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/metrics": {
   "get": {
    "summary": "Prometheus metrics",
    "responses": {
     "200": {
      "description": "Text exposition format 0.0.4",
      "content": {
       "text/plain": {
        "schema": {
         "type": "string"
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  },
  "/api/openapi.json": {
   "get": {
    "summary": "This document",
    "responses": {
     "200": {
      "description": "Done",
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": [
          "openapi"
         ]
        }
       }
      }
     },
     "403": {
      "$ref": "#/components/responses/Problem"
     },
     "429": {
      "$ref": "#/components/responses/TooMany"
     }
    }
   }
  }
 },
 "components": {
  "responses": {
   "Problem": {
    "description": "What failed, and what to do",
    "content": {
     "application/problem+json": {
      "schema": {
       "$ref": "#/components/schemas/Problem"
      }
     }
    }
   },
   "TooMany": {
    "description": "More requests of one address than the server answers",
    "headers": {
     "Retry-After": {
      "description": "Seconds to wait",
      "schema": {
       "type": "integer"
      }
     }
    },
    "content": {
     "application/problem+json": {
      "schema": {
       "$ref": "#/components/schemas/Problem"
      }
     }
    }
   }
  },
  "schemas": {
   "Problem": {
    "type": "object",
    "required": [
     "type",
     "title",
     "status",
     "detail",
     "code",
     "message",
     "hint"
    ],
    "properties": {
     "type": {
      "type": "string"
     },
     "title": {
      "type": "string"
     },
     "status": {
      "type": "integer"
     },
     "detail": {
      "type": "string"
     },
     "code": {
      "type": "string",
      "description": "What kind of failure it is"
     },
     "message": {
      "type": "string"
     },
     "hint": {
      "type": [
       "string",
       "null"
      ]
     }
    }
   },
   "Figure": {
    "type": "object",
    "required": [
     "duration_ms",
     "energy_mj",
     "quality"
    ],
    "properties": {
     "duration_ms": {
      "type": "number"
     },
     "energy_mj": {
      "type": [
       "number",
       "null"
      ]
     },
     "baseline_energy_mj": {
      "type": [
       "number",
       "null"
      ]
     },
     "dynamic_energy_mj": {
      "type": [
       "number",
       "null"
      ]
     },
     "mean_power_mw": {
      "type": [
       "number",
       "null"
      ]
     },
     "quality": {
      "type": "object",
      "required": [
       "coverage"
      ],
      "properties": {
       "sensor": {
        "type": [
         "string",
         "null"
        ]
       },
       "method": {
        "enum": [
         "measured",
         "attributed",
         "estimated",
         null
        ]
       },
       "coverage": {
        "type": "number"
       },
       "resolution": {
        "type": [
         "number",
         "null"
        ]
       },
       "standard_error_mj": {
        "type": [
         "number",
         "null"
        ]
       },
       "foreign_cpu_share": {
        "type": [
         "number",
         "null"
        ]
       }
      }
     }
    }
   },
   "RunState": {
    "type": "object",
    "required": [
     "run_id",
     "status"
    ],
    "properties": {
     "run_id": {
      "type": "string"
     },
     "status": {
      "enum": [
       "queued",
       "running",
       "cancelling",
       "deleted"
      ]
     }
    }
   },
   "RunSummary": {
    "type": "object",
    "required": [
     "run_id",
     "status",
     "started_at_ms",
     "depth",
     "model",
     "prompt",
     "duration_ms",
     "prompt_tokens",
     "output_tokens",
     "energy_mj",
     "warnings"
    ],
    "properties": {
     "run_id": {
      "type": "string"
     },
     "status": {
      "type": "string"
     },
     "started_at_ms": {
      "type": "integer"
     },
     "depth": {
      "enum": [
       "minimal",
       "module",
       "deep"
      ]
     },
     "model": {
      "type": "string"
     },
     "quantization": {
      "type": "string"
     },
     "experiment": {
      "type": "string"
     },
     "tags": {
      "type": "array",
      "items": {
       "type": "string"
      }
     },
     "prompt": {
      "type": "string"
     },
     "duration_ms": {
      "type": "number"
     },
     "prompt_tokens": {
      "type": "integer"
     },
     "output_tokens": {
      "type": "integer"
     },
     "energy_mj": {
      "type": [
       "number",
       "null"
      ]
     },
     "energy_per_output_token_mj": {
      "type": [
       "number",
       "null"
      ]
     },
     "method": {
      "type": [
       "string",
       "null"
      ]
     },
     "warnings": {
      "type": "integer"
     }
    }
   },
   "RunHead": {
    "type": "object",
    "required": [
     "run_id",
     "status",
     "started_at",
     "depth",
     "model",
     "totals",
     "phases",
     "sections",
     "power",
     "quality",
     "warnings"
    ],
    "properties": {
     "run_id": {
      "type": "string"
     },
     "status": {
      "type": "string"
     },
     "started_at": {
      "type": "string"
     },
     "depth": {
      "enum": [
       "minimal",
       "module",
       "deep"
      ]
     },
     "experiment": {
      "type": [
       "string",
       "null"
      ]
     },
     "tags": {
      "type": "array",
      "items": {
       "type": "string"
      }
     },
     "model": {
      "type": "object"
     },
     "prompt": {
      "type": "string"
     },
     "response": {
      "type": "string"
     },
     "finish_reason": {
      "type": [
       "string",
       "null"
      ]
     },
     "totals": {
      "$ref": "#/components/schemas/Figure"
     },
     "phases": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "begin_ms"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "sections": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "name",
          "count"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "name": {
           "type": "string"
          },
          "count": {
           "type": "integer"
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "power": {
      "type": "object",
      "required": [
       "sources",
       "domains"
      ]
     },
     "quality": {
      "type": "object"
     },
     "warnings": {
      "type": "array",
      "items": {
       "type": "object",
       "required": [
        "component",
        "code",
        "message"
       ]
      }
     }
    }
   },
   "Run": {
    "type": "object",
    "required": [
     "run_id",
     "status",
     "started_at",
     "depth",
     "model",
     "totals",
     "phases",
     "sections",
     "tokens",
     "layers",
     "components",
     "operations",
     "power",
     "quality",
     "warnings"
    ],
    "properties": {
     "run_id": {
      "type": "string"
     },
     "status": {
      "type": "string"
     },
     "started_at": {
      "type": "string"
     },
     "depth": {
      "enum": [
       "minimal",
       "module",
       "deep"
      ]
     },
     "experiment": {
      "type": [
       "string",
       "null"
      ]
     },
     "tags": {
      "type": "array",
      "items": {
       "type": "string"
      }
     },
     "model": {
      "type": "object"
     },
     "prompt": {
      "type": "string"
     },
     "response": {
      "type": "string"
     },
     "finish_reason": {
      "type": [
       "string",
       "null"
      ]
     },
     "totals": {
      "$ref": "#/components/schemas/Figure"
     },
     "phases": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "begin_ms"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "sections": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "name",
          "count"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "name": {
           "type": "string"
          },
          "count": {
           "type": "integer"
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "power": {
      "type": "object",
      "required": [
       "sources",
       "domains"
      ]
     },
     "quality": {
      "type": "object"
     },
     "warnings": {
      "type": "array",
      "items": {
       "type": "object",
       "required": [
        "component",
        "code",
        "message"
       ]
      }
     },
     "tokens": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "index",
          "text"
         ],
         "properties": {
          "index": {
           "type": "integer"
          },
          "text": {
           "type": "string"
          },
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "layers": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "layer"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "layer": {
           "type": [
            "integer",
            "null"
           ]
          },
          "count": {
           "type": "integer"
          }
         }
        }
       ]
      }
     },
     "components": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "component"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "layer": {
           "type": [
            "integer",
            "null"
           ]
          },
          "component": {
           "type": "string"
          },
          "flops": {
           "type": [
            "number",
            "null"
           ]
          },
          "bytes": {
           "type": [
            "number",
            "null"
           ]
          },
          "count": {
           "type": "integer"
          }
         }
        }
       ]
      }
     },
     "operations": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "component",
          "op"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "component": {
           "type": "string"
          },
          "op": {
           "type": "string"
          },
          "count": {
           "type": "integer"
          },
          "flops": {
           "type": [
            "number",
            "null"
           ]
          },
          "bytes": {
           "type": [
            "number",
            "null"
           ]
          },
          "intensity_flop_per_byte": {
           "type": [
            "number",
            "null"
           ]
          },
          "energy_per_byte_pj": {
           "type": [
            "number",
            "null"
           ]
          },
          "energy_per_flop_pj": {
           "type": [
            "number",
            "null"
           ]
          }
         }
        }
       ]
      }
     },
     "values": {
      "type": "object",
      "description": "Activations, attention and experts of the passes that were looked at"
     },
     "operation_table": {
      "type": "object",
      "description": "Every operation of every pass; empty unless asked for"
     }
    }
   },
   "RunRequest": {
    "type": "object",
    "required": [
     "prompt",
     "model"
    ],
    "properties": {
     "prompt": {
      "type": "string",
      "minLength": 1
     },
     "model": {
      "type": "string",
      "description": "A name of GET /api/models"
     },
     "depth": {
      "enum": [
       "minimal",
       "module",
       "deep"
      ],
      "default": "module"
     },
     "max_tokens": {
      "type": "integer",
      "minimum": 1,
      "maximum": 1000000,
      "default": 128
     },
     "temperature": {
      "type": "number",
      "minimum": 0,
      "maximum": 100,
      "default": 0
     },
     "top_k": {
      "type": "integer",
      "default": 40
     },
     "top_p": {
      "type": "number",
      "default": 0.95
     },
     "seed": {
      "type": "integer",
      "default": 0
     },
     "chat": {
      "type": "boolean",
      "default": false
     },
     "tags": {
      "type": "array",
      "items": {
       "type": "string"
      }
     },
     "experiment": {
      "type": "string"
     }
    }
   },
   "ComparedRun": {
    "type": "object",
    "required": [
     "run_id",
     "status",
     "started_at",
     "depth",
     "model",
     "totals",
     "phases",
     "sections",
     "layers",
     "components",
     "operations",
     "power",
     "quality",
     "warnings"
    ],
    "properties": {
     "run_id": {
      "type": "string"
     },
     "status": {
      "type": "string"
     },
     "started_at": {
      "type": "string"
     },
     "depth": {
      "enum": [
       "minimal",
       "module",
       "deep"
      ]
     },
     "experiment": {
      "type": [
       "string",
       "null"
      ]
     },
     "tags": {
      "type": "array",
      "items": {
       "type": "string"
      }
     },
     "model": {
      "type": "object"
     },
     "prompt": {
      "type": "string"
     },
     "response": {
      "type": "string"
     },
     "finish_reason": {
      "type": [
       "string",
       "null"
      ]
     },
     "totals": {
      "$ref": "#/components/schemas/Figure"
     },
     "phases": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "begin_ms"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "sections": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "name",
          "count"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "name": {
           "type": "string"
          },
          "count": {
           "type": "integer"
          },
          "begin_ms": {
           "type": "number"
          }
         }
        }
       ]
      }
     },
     "power": {
      "type": "object",
      "required": [
       "sources",
       "domains"
      ]
     },
     "quality": {
      "type": "object"
     },
     "warnings": {
      "type": "array",
      "items": {
       "type": "object",
       "required": [
        "component",
        "code",
        "message"
       ]
      }
     },
     "layers": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "layer"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "layer": {
           "type": [
            "integer",
            "null"
           ]
          },
          "count": {
           "type": "integer"
          }
         }
        }
       ]
      }
     },
     "components": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "component"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "layer": {
           "type": [
            "integer",
            "null"
           ]
          },
          "component": {
           "type": "string"
          },
          "flops": {
           "type": [
            "number",
            "null"
           ]
          },
          "bytes": {
           "type": [
            "number",
            "null"
           ]
          },
          "count": {
           "type": "integer"
          }
         }
        }
       ]
      }
     },
     "operations": {
      "type": "array",
      "items": {
       "allOf": [
        {
         "$ref": "#/components/schemas/Figure"
        },
        {
         "type": "object",
         "required": [
          "phase",
          "component",
          "op"
         ],
         "properties": {
          "phase": {
           "enum": [
            "pre_inference",
            "prefill",
            "decode",
            "post_inference"
           ]
          },
          "component": {
           "type": "string"
          },
          "op": {
           "type": "string"
          },
          "count": {
           "type": "integer"
          },
          "flops": {
           "type": [
            "number",
            "null"
           ]
          },
          "bytes": {
           "type": [
            "number",
            "null"
           ]
          },
          "intensity_flop_per_byte": {
           "type": [
            "number",
            "null"
           ]
          },
          "energy_per_byte_pj": {
           "type": [
            "number",
            "null"
           ]
          },
          "energy_per_flop_pj": {
           "type": [
            "number",
            "null"
           ]
          }
         }
        }
       ]
      }
     },
     "values": {
      "type": "object",
      "description": "Activations, attention and experts of the passes that were looked at"
     }
    }
   }
  },
  "securitySchemes": {
   "token": {
    "type": "http",
    "scheme": "bearer"
   }
  }
 }
}
)json";
}

}  // namespace enprof
