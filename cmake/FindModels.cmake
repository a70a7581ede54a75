# Sets LUAWS_MODEL_DIRS, the folders of AWS models to compile: what the LUAWS_MODELS option says, else
# what scripts/models finds on this machine.
string(REPLACE ":" ";" LUAWS_MODEL_DIRS "${LUAWS_MODELS}")
if(NOT LUAWS_MODEL_DIRS)
  execute_process(COMMAND sh ${CMAKE_SOURCE_DIR}/scripts/models
    OUTPUT_VARIABLE LUAWS_MODEL_DIRS RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    message(FATAL_ERROR "No AWS models found: run scripts/setup, or set LUAWS_MODELS to a folder "
      "of models laid out as botocore's data folder.")
  endif()
  string(REPLACE "\n" ";" LUAWS_MODEL_DIRS "${LUAWS_MODEL_DIRS}")
endif()
foreach(dir IN LISTS LUAWS_MODEL_DIRS)
  if(NOT IS_DIRECTORY ${dir})
    message(FATAL_ERROR "LUAWS_MODELS names '${dir}', which is not a folder.")
  endif()
endforeach()
list(JOIN LUAWS_MODEL_DIRS ":" shown)
message(STATUS "AWS models: ${shown}")
