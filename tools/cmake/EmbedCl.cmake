# Embeds kernel texts as byte arrays (a C11 literal may be no longer than 4095 characters), and makes the method registry.

# clattn_embed_cl(OUT ROOT FILES...): one generated .c with the table ct_cl_files; made again when a text changes.
function(clattn_embed_cl out root)
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/cl_files.c)
    string(REPLACE ";" "," joined "${ARGN}")
    add_custom_command(OUTPUT ${generated}
        COMMAND ${CMAKE_COMMAND} -DROOT=${root} -DFILES=${joined} -DOUTPUT=${generated}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/embed_script.cmake
        DEPENDS ${ARGN} ${CMAKE_CURRENT_SOURCE_DIR}/tools/cmake/embed_script.cmake
        COMMENT "Embedding kernel texts" VERBATIM)
    set(${out} ${generated} PARENT_SCOPE)
endfunction()

# clattn_method_registry(OUT DIR): ct_methods[] from the files DIR/*.c that define a ct_method.
function(clattn_method_registry out dir)
    file(GLOB files CONFIGURE_DEPENDS ${dir}/*.c)
    list(SORT files)
    set(externs "")
    set(entries "")
    set(count 0)
    foreach(file IN LISTS files)
        get_filename_component(name ${file} NAME_WE)
        file(STRINGS ${file} found REGEX "^const ct_method ct_method_${name}( |=)")
        if(found)
            string(APPEND externs "extern const ct_method ct_method_${name};\n")
            string(APPEND entries "    &ct_method_${name},\n")
            math(EXPR count "${count} + 1")
        endif()
    endforeach()
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/methods.c)
    file(CONFIGURE OUTPUT ${generated} CONTENT
"#include \"plan/method.h\"\n\n${externs}\nconst ct_method *const ct_methods[] = {\n${entries}    NULL,\n};\nconst int ct_method_count = ${count};\n" @ONLY)
    set(${out} ${generated} PARENT_SCOPE)
endfunction()
