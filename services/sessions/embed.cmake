# cmake -DINPUT=file -DOUTPUT=file.c -DNAME=symbol [-DPARTS=file|..] -P embed.cmake: a file as a C
# array. With parts, a call start({name: text, ..}) of their texts is put behind it.
file(READ ${INPUT} text)
if(PARTS)
    string(REPLACE "|" ";" PARTS "${PARTS}")
    string(APPEND text "\n\nstart({\n")
    foreach(part ${PARTS})
        file(READ ${part} content)
        if(content MATCHES "'''" OR content MATCHES "\\\\$")
            message(FATAL_ERROR "${part} cannot be put into a text of Python between '''")
        endif()
        get_filename_component(name ${part} NAME_WE)
        string(APPEND text "'${name}': r'''${content}''',\n")
    endforeach()
    string(APPEND text "})\n")
endif()
file(WRITE ${OUTPUT}.text "${text}")
file(READ ${OUTPUT}.text content HEX)
string(LENGTH "${content}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," content "${content}")
string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" content
       "${content}")
file(WRITE ${OUTPUT} "#include \"base/embedded.h\"\n\n"
     "const unsigned char ${NAME}[] = {\n${content}\n};\n"
     "const size_t ${NAME}_size = ${size};\n")
